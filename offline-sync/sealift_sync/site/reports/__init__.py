"""What a site tells: its status, over a telephone, on a medium home, and whether it is whole."""
