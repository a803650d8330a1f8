"""``weights``: list the published ImageNet weights that fit a network, and fetch them."""

from __future__ import annotations

import argparse

HELP = """\
List the published ImageNet weights of backbones: which network they fit, where they come from, under which
licence, and whether they are here. --fetch downloads the first that can be had, also from a host that did not
answer within the last day; training finds them then without a network.

  gluon-yolo weights
  gluon-yolo weights mobilenet1_0
  gluon-yolo weights mobilenet1_0 --fetch
  gluon-yolo weights timm/mobilenetv2_100.ra_in1k --fetch
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``weights``."""
    parser.add_argument(
        "network",
        nargs="?",
        metavar="NAME",
        help="a network of the zoo, as mobilenet1_0, or weights of the list (default: all)",
    )
    parser.add_argument("--fetch", action="store_true", help="download them, and print the path of the file")


def run(args: argparse.Namespace) -> int:
    """Print the table, or the path of the fetched file."""
    from gluon_yolo.errors import UserError
    from gluon_yolo.weights.listing import fetch_first, offers, table

    if args.fetch and args.network is None:
        raise UserError("--fetch: name a network or weights of the list before it")
    found = offers(args.network)
    if not found:
        raise UserError(
            f"{args.network}: no weights of its backbone are published; train with --weights FILE"
        )
    if args.fetch:
        offer, path = fetch_first(found)
        print(f"{offer.name} ({offer.licence}): {path}")
        return 0
    print(table(found))
    return 0
