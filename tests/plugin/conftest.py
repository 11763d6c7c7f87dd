"""What stands here is another distribution's, one module of it broken on purpose: no tests."""

collect_ignore = ["petal.py", "wilted.py"]
