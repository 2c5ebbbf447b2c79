"""Homes, bundles and drafts that older versions of Sealift left behind."""
