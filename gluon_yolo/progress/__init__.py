"""How far long work is: bars on a terminal, lines elsewhere."""
