#!/usr/bin/python3
"""A prober that says SERVING and answers Measure with nonsense, a different one each time; or, with an RTT, always with that.

usage: lying_prober.py ADDRESS:PORT [RTT_MICROSECONDS]   (certificates from the working directory)
"""

import concurrent.futures
import itertools
import pathlib
import signal
import sys

import grpc


def field(number, value):
    """A varint field, as protobuf writes it."""
    out = bytearray([number << 3])
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


NONSENSE = [
    b"\xff\xff\xff not a protobuf",
    field(1, 1) + field(3, 4_000_000_000),  # an RTT longer than the call
    field(1, 1),                            # measured in no time at all
    field(1, 99) + field(3, 1000),          # by no method that exists
    b"",
]


class Liar(grpc.GenericRpcHandler):
    def __init__(self, lies):
        self._lies = itertools.cycle(lies)

    def service(self, call):
        if call.method.endswith("/Check"):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x01")
        return grpc.unary_unary_rpc_method_handler(lambda request, context: next(self._lies))


def main():
    ca, certificate, key = (pathlib.Path(name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem"))
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    lies = [field(1, 1) + field(3, int(sys.argv[2])) + field(4, 1)] if len(sys.argv) > 2 else NONSENSE
    server.add_generic_rpc_handlers([Liar(lies)])
    credentials = grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)
    if server.add_secure_port(sys.argv[1], credentials) == 0:
        sys.exit(f"{sys.argv[1]} is not to be had")
    signal.signal(signal.SIGTERM, lambda *_: server.stop(0))
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
