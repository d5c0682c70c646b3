#!/usr/bin/python3
"""A prober and a replica on one loopback port whose RTT to everyone is given; prints the port.

usage: fixed_prober.py ADDRESS RTT_MICROSECONDS
"""

import concurrent.futures
import sys
import time

import grpc
from lying_prober import field

BETWEEN_REPLICAS_US = 20_000


class Prober(grpc.GenericRpcHandler):
    def __init__(self, rtt_us):
        self._rtt_us = rtt_us

    def measure(self, request, context):
        rtt = BETWEEN_REPLICAS_US if b"127.0.0." in request else self._rtt_us
        time.sleep(rtt / 1e6)
        return field(1, 1) + field(3, rtt) + field(4, 1)

    def watch(self, request, context):
        while context.is_active():
            yield b""
            time.sleep(0.5)

    def service(self, call):
        if call.method.endswith("/Check"):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x01")
        if call.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(self.watch)
        return grpc.unary_unary_rpc_method_handler(self.measure)


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers([Prober(int(sys.argv[2]))])
    print(server.add_insecure_port(f"{sys.argv[1]}:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
