"""Sources become scanned, recorded versions: fetch, recognise, scan, keep the goldens."""
