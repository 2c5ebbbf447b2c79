"""What users, sites and files see of Sealift, line by line, compared with what is kept."""
