-- Approved and refused in the last hour, with the share that passed.
select
  sum(transacoes) filter (where aprovada) as aprovadas,
  sum(transacoes) filter (where not aprovada) as recusadas,
  round(100.0 * sum(transacoes) filter (where aprovada) / sum(transacoes), 1) as percentual_aprovado,
  round(sum(valor) filter (where aprovada)::numeric, 2) as valor_aprovado
from transacoes_por_minuto
where window_start > now() - interval '1 hour';
