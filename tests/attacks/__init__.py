"""What a hostile hub and a hostile carrier try, each refused or held with its sentence."""
