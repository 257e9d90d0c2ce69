"""A run on several processes and hosts: master, workers, and who is believed.

Custom messages over Locust's runners. One process' own share of a run is the generator's.
"""
