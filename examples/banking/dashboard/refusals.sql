-- Why transactions were refused in the last hour.
select motivo, sum(transacoes) as recusadas, round(sum(valor)::numeric, 2) as valor
from recusas_por_minuto
where window_start > now() - interval '1 hour'
group by motivo
order by recusadas desc, motivo;
