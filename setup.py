"""Build of the compiled kernels; all metadata is in pyproject.toml."""

from glob import glob
from os import cpu_count
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNELS = [
    Extension(
        f"cext.{Path(source).stem}",
        [source],
        extra_compile_args=["-O3", "-g0", "-fopenmp"],
        extra_link_args=["-fopenmp"],
    )
    for source in sorted(glob("cext/_*.pyx"))
]

setup(
    ext_modules=cythonize(
        KERNELS,
        language_level=3,
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    ),
    options={"build_ext": {"parallel": cpu_count()}},
)
