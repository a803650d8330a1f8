"""Training by several processes, one a device, on one host or several: started by torch."""
