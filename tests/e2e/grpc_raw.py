"""gRPC calls by method name and raw bytes: what grpcurl would send, and what it never would."""

import grpc


def channel(cdn, host, address):
    """A channel to a control port with the certificates of `host`."""
    folder = cdn.folder / host
    credentials = grpc.ssl_channel_credentials(
        *((folder / name).read_bytes() for name in ("ca.pem", "key.pem", "cert.pem"))
    )
    return grpc.secure_channel(address, credentials)


def call(via, method, payload=b"", timeout=5):
    """The response's bytes, or grpc.RpcError."""
    return via.unary_unary(method)(payload, timeout=timeout)


def code(via, method, payload=b""):
    """The status that a call ends with."""
    try:
        call(via, method, payload)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


def health(via, service=b""):
    request = (b"\x0a" + bytes([len(service)]) + service) if service else b""
    return {b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}[
        call(via, "/grpc.health.v1.Health/Check", request)
    ]


def services(via):
    """The services that reflection lists."""
    stream = via.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    answer = next(stream(iter([b"\x3a\x00"]), timeout=5))  # list_services: ""
    return {s for s in ("perigee.v1.Prober", "perigee.v1.Replica", "perigee.v1.Director", "grpc.health.v1.Health")
            if s.encode() in answer}


def varint_fields(message):
    """(number, value) of every field of a message that has only varint fields."""
    fields, numbers, value, shift = [], [], 0, 0
    for byte in message:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(value)
            value = shift = 0
    for key, field in zip(numbers[::2], numbers[1::2]):
        fields.append((key >> 3, field))
    return fields
