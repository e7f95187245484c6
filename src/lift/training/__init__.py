"""Tasks in, adapter out: encoding, packing, attention, schedule, objective, optimizer, trainer."""
