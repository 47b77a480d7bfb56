-- Approved and refused by state and region of Brazil in the last hour; a state that nobody knows is shown too.
select
  coalesce(r.regiao, 'desconhecida') as regiao,
  t.id_regiao as uf,
  coalesce(sum(t.transacoes) filter (where t.aprovada), 0) as aprovadas,
  coalesce(sum(t.transacoes) filter (where not t.aprovada), 0) as recusadas,
  round(sum(t.valor)::numeric, 2) as valor
from transacoes_por_minuto t
left join regioes r on r.uf = t.id_regiao
where t.window_start > now() - interval '1 hour'
group by r.regiao, t.id_regiao
order by aprovadas desc, uf;
