"""Number flags: a value out of its range is an error of parsing, before any work."""

from __future__ import annotations

import argparse
import math
from typing import Any

from gluon_yolo.errors import SettingError, UserError, check_within


class Within(argparse.Action):
    """Stores a number within a range: ``add_argument("--num", type=int, action=Within, least=1)``.

    Args:
        *args: of ``argparse.Action``.
        least: the smallest valid number.
        most: the largest valid number.
        **options: of ``argparse.Action``.
    """

    def __init__(self, *args: Any, least: float, most: float = math.inf, **options: Any) -> None:
        super().__init__(*args, **options)
        self.least, self.most = least, most

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the number.

        Raises:
            UserError: it is out of its range, or NaN.
        """
        try:
            check_within(self.dest, values, self.least, self.most)
        except SettingError as error:
            raise UserError(error.named(lambda setting: self.option_strings[-1])) from None
        setattr(namespace, self.dest, values)
