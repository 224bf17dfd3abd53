"""The bottom layer: frozen typed records, the error tree, events, data files, the run folder and the ledger."""
