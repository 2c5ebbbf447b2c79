"""How what read models answer is told: lines for people, members for machines."""
