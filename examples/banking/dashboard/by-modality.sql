-- Approved and refused by modality in the last hour.
select
  modalidade_pagamento,
  coalesce(sum(transacoes) filter (where aprovada), 0) as aprovadas,
  coalesce(sum(transacoes) filter (where not aprovada), 0) as recusadas,
  round((sum(valor) / sum(transacoes))::numeric, 2) as valor_medio
from transacoes_por_minuto
where window_start > now() - interval '1 hour'
group by modalidade_pagamento
order by aprovadas desc;
