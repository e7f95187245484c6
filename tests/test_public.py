"""The public face: its names, that they are cheap to import, and that no module hides a function."""

import subprocess
import sys
from importlib import import_module

import lift
from lift import errors


def test_all_names_exist_and_nothing_else_is_promised() -> None:
    assert sorted(lift.__all__) == lift.__all__
    assert set(lift._HOMES) | {"LiftError"} == set(lift.__all__)
    for name in lift.__all__:
        assert getattr(lift, name) is not None
        assert name in dir(lift)
    for name, home in lift._HOMES.items():
        assert name in import_module(home).__all__


def test_no_public_function_shares_a_modules_name() -> None:
    """A lazily imported module would shadow it: `lift.absorb` must stay the function."""
    code = (
        "import lift; first = lift.absorb; import lift.cli.app, lift.chat, lift.pipeline; "
        "assert lift.absorb is first and callable(lift.absorb) and callable(lift.load)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_error_is_a_lift_error_and_listed() -> None:
    defined = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert defined == set(errors.__all__)
    raised = defined - {"LiftWarning"}
    assert all(issubclass(getattr(errors, name), errors.LiftError) for name in raised)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(lift, "nothing")


def test_the_import_and_the_help_load_no_torch() -> None:
    code = "import sys, lift, lift.cli.app; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
