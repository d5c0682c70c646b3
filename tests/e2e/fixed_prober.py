#!/usr/bin/python3
"""A prober and a replica on one loopback port whose RTT to everyone is given; prints the port.

With PASSIVE_MICROSECONDS clients of 127.9.9.0/24 answer no probe, and the replica tells that RTT of their connections. Those of
127.7.7.0/24 take half a second to measure.

usage: fixed_prober.py ADDRESS RTT_MICROSECONDS [PASSIVE_MICROSECONDS]
"""

import concurrent.futures
import sys
import time

import grpc
from lying_prober import field

BETWEEN_REPLICAS_US = 20_000
SILENT, SILENT_PREFIX = b"127.9.9.", b"127.9.9.0/24"
SLOW, SLOW_S = b"127.7.7.", 0.5
METHOD_SILENT = 3


def text_field(number, value):
    return bytes([number << 3 | 2, len(value)]) + value


class Prober(grpc.GenericRpcHandler):
    def __init__(self, rtt_us, passive_us=None):
        self._rtt_us, self._passive_us = rtt_us, passive_us

    def measure(self, request, context):
        rtt = BETWEEN_REPLICAS_US if b"127.0.0." in request else self._rtt_us
        time.sleep(SLOW_S if SLOW in request else rtt / 1e6)
        if self._passive_us and SILENT in request:
            return field(1, METHOD_SILENT) + field(4, 4) + field(5, 4)
        return field(1, 1) + field(3, rtt) + field(4, 1)

    def watch(self, request, context):
        report = b""
        if self._passive_us:
            report = text_field(3, text_field(1, SILENT_PREFIX) + field(2, self._passive_us) + field(3, 1))
        while context.is_active():
            yield report
            time.sleep(0.5)

    def service(self, call):
        if call.method.endswith("/Check"):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x01")
        if call.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(self.watch)
        return grpc.unary_unary_rpc_method_handler(self.measure)


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers([Prober(*map(int, sys.argv[2:]))])
    print(server.add_insecure_port(f"{sys.argv[1]}:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
