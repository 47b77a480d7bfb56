-- Approved and refused minute by minute over the last hour.
select
  window_start as minuto,
  coalesce(sum(transacoes) filter (where aprovada), 0) as aprovadas,
  coalesce(sum(transacoes) filter (where not aprovada), 0) as recusadas
from transacoes_por_minuto
where window_start > now() - interval '1 hour'
group by window_start
order by window_start;
