"""`sealift-sign`: where people sign, on a machine of their own that holds the site's wheels.

It opens files and asks people; what decides stands in `gate`, which is pure.
"""
