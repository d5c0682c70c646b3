#!/usr/bin/python3
"""Probers and replicas on 127.0.1.1, 127.0.1.2 …, strewn along the equator: their RTTs follow from it. Prints their ports.

A client 127.N.x.x stands N * 360 / 256 degrees east of the first replica. One whose third octet is 9 answers nothing.

usage: strewn_probers.py REPLICAS
"""

import asyncio
import sys

import grpc
from lying_prober import field

METHOD_ICMP_ECHO, METHOD_SILENT = 1, 3
SILENT_OCTET, SILENT_S = 9, 0.1
US_A_DEGREE, US_AT_THE_ENDS = 1400, 2000  # at the speed of light in fibre a degree takes 1112
HEALTHY = b"\x08\x01"


def address_of(number):
    return f"127.0.1.{number + 1}"


def degrees_of(number, replicas):
    return number * 360 / replicas


def place_of(address, replicas):
    _, second, third, fourth = map(int, address.split("."))
    return degrees_of(fourth - 1, replicas) if (second, third) == (0, 1) else second * 360 / 256


def rtt_us(a, b):
    apart = abs(a - b) % 360
    return int(US_AT_THE_ENDS + US_A_DEGREE * min(apart, 360 - apart))


class Replica(grpc.GenericRpcHandler):
    def __init__(self, number, replicas):
        self._place, self._replicas = degrees_of(number, replicas), replicas

    async def measure(self, request, context):
        address = request[2 : 2 + request[1]].decode()
        if int(address.split(".")[2]) == SILENT_OCTET:
            await asyncio.sleep(SILENT_S)
            return field(1, METHOD_SILENT) + field(4, 4)
        rtt = rtt_us(self._place, place_of(address, self._replicas))
        await asyncio.sleep(rtt / 1e6)
        return field(1, METHOD_ICMP_ECHO) + field(3, rtt) + field(4, 1)

    async def check(self, request, context):
        return HEALTHY

    async def watch(self, request, context):
        while True:
            yield b""
            await asyncio.sleep(1)

    def service(self, call):
        if call.method.endswith("/Check"):
            return grpc.unary_unary_rpc_method_handler(self.check)
        if call.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(self.watch)
        return grpc.unary_unary_rpc_method_handler(self.measure)


async def serve(replicas):
    servers = []
    for number in range(replicas):
        server = grpc.aio.server()
        server.add_generic_rpc_handlers([Replica(number, replicas)])
        print(server.add_insecure_port(f"{address_of(number)}:0"), flush=True)
        servers.append(server)
        await server.start()
    await servers[0].wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
