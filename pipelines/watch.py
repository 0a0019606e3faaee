"""Written by `recipe compile`. Has a trainer's own settings compared with the plan before its first step.

ms-swift imports this file (`--external_plugins`); it adds the callback `recipe`, which changes nothing.
"""

from runners.watch.swift import register

register()
