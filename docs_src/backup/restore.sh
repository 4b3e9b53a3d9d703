interlock restore monday.backup --store restored.db
interlock ledger adopt --store restored.db --anchors anchors.jsonl --lost 2
