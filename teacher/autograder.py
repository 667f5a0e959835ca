"""What Classroom 50 starts for each submission, in the student's repository: gets what grading needs, and grades.

It is copied into the folder that `python -m teacher.result --bundle FOLDER` builds, and finds the rest beside itself.
Its exit code is not 0 only if nothing could be graded; no student is then given 0 points. Who has not been graded for a
reason of their own, or because nbgrader failed on this notebook, has 0 points and that reason.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    with tempfile.TemporaryDirectory() as own:
        python = sys.executable
        if importlib.util.find_spec("nbgrader") is None:  # an image of your own may have it
            venv.create(own, with_pip=True)
            python = str(Path(own, "bin", "python"))
            install = [python, "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements-teacher.txt")]
            if subprocess.run(install, cwd=HERE).returncode:
                sys.exit("What grading needs could not be installed, see above: nothing was graded.")
        # Started elsewhere than in the student's repository, so that no module is taken from there.
        command = [python, "-m", "teacher.result", str(Path.cwd()), *sys.argv[1:]]
        variables = os.environ | {"PYTHONPATH": str(HERE / "source" / "assignment")}
        sys.exit(subprocess.run(command, cwd=HERE, env=variables).returncode)


if __name__ == "__main__":
    main()
