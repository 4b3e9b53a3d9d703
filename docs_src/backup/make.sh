interlock backup monday.backup
interlock ledger anchor --to anchors.jsonl
