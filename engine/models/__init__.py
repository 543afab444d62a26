"""From a name, a directory, a module or a preset to a program and its inputs."""
