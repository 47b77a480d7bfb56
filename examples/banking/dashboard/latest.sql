-- The latest transactions, with who pays.
select t.data_horario, u.nome as pagador, t.id_regiao, t.modalidade_pagamento, t.valor_transacao, t.aprovada, t.motivo
from transacoes t
left join usuarios u on u.id_usuario = t.id_usuario_pagador
order by t.data_horario desc
limit 50;
