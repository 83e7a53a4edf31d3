"""What can be wrong with the machine rather than with the input."""


class EnvironmentProblem(Exception):
    """The machine lacks something: Java, room on the disk, a writable folder, a free port."""
