"""Replicas serve the origin's bytes, from their cache when they can, and something sensible when the origin is gone."""

import concurrent.futures
import pathlib
import re

import cdn as perigee
import pytest

BUDGET = 10_000_000
NEAR_SEND_BUFFER = 384 * 1024  # Linux doubles it, and allows no more than net.core.wmem_max


@pytest.fixture
def client(cdn, world):
    """A client beside its replica, so that the tests are quick; it resolves through the director, and is known to it."""
    world.use_resolver("client-tokyo", cdn.director.ipv4)
    perigee.wait_until("it is sent to its replica", lambda: cdn.ask_director("client-tokyo")[0] == "tokyo")
    return "client-tokyo"


def url(path, host="tokyo", world=None):
    return f"http://{world.hosts[host].ipv4}/{path}" if world else f"http://{perigee.DOMAIN}/{path}"


def test_a_page_is_a_miss_then_a_hit_and_byte_for_byte_the_origins(cdn, client):
    for path, size in (("t/page.html", 16_000), ("t/image.jpg", 300_000), ("t/empty.html", 0), ("t/large.jpg", 4_000_000)):
        body = cdn.publish(path, size)
        first, headers, _, _ = cdn.wget(client, url(path))
        assert first == body
        assert "fwd=uri-miss" in perigee.cache_status(headers)
        second, headers, _, _ = cdn.wget(client, url(path))
        assert second == body
        assert "hit" in perigee.cache_status(headers)
        assert re.search(r"^\s*Age: \d+", headers, re.MULTILINE)
    assert cdn.origin_requests("/t/page.html") == 1


def send_buffers(world, replica):
    """Of its connections: what the kernel lets lie there at most, in bytes."""
    table = world.run(replica, "ss", "--tcp", "--memory", "--numeric", "sport", "=", ":80").stdout
    return [int(size) for size in re.findall(r"\btb(\d+)", table)]


def test_the_send_buffer_of_a_near_client_is_kept_small_and_that_of_a_far_one_grows(cdn, world):
    cdn.publish("t/buffers.jpg", 8_000_000)
    target = url("t/buffers.jpg", world=world)
    cdn.wget("tokyo", target)
    largest = {}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for client in ("tokyo", "client-london"):
            download = pool.submit(cdn.wget, client, target, "--limit-rate=8m")
            largest[client] = 0
            while not download.done():
                largest[client] = max([largest[client], *send_buffers(world, "tokyo")])
    near = 2 * min(NEAR_SEND_BUFFER, int(pathlib.Path("/proc/sys/net/core/wmem_max").read_text()))
    assert largest["tokyo"] == near
    assert largest["client-london"] > 2 * near


def test_head_is_answered_from_the_stored_get(cdn, client):
    body = cdn.publish("t/head.html", 5_000)
    cdn.wget(client, url("t/head.html"))
    empty, headers, _, _ = cdn.wget(client, url("t/head.html"), "--method=HEAD")
    assert empty == b""
    assert "hit" in perigee.cache_status(headers)
    assert f"Content-Length: {len(body)}" in headers


def test_an_expired_page_is_validated_not_fetched_again(cdn, client):
    body = cdn.publish("short/valid.html", 50_000)
    cdn.wget(client, url("short/valid.html"))

    def revalidated():
        again, headers, _, _ = cdn.wget(client, url("short/valid.html"))
        assert again == body
        return "fwd=stale" in perigee.cache_status(headers) and "fwd-status=304" in perigee.cache_status(headers)

    perigee.wait_until("it expires", revalidated)


def test_a_changed_page_is_fetched_once_it_has_expired(cdn, client):
    old = cdn.publish("short/changing.html", 1_000)
    assert cdn.wget(client, url("short/changing.html"))[0] == old
    new = cdn.publish("short/changing.html", 2_000)
    perigee.wait_until("the new one is served", lambda: cdn.wget(client, url("short/changing.html"))[0] == new)


def test_the_cache_survives_kill_9_and_needs_no_origin_then(cdn, world, client):
    body = cdn.publish("t/durable.html", 20_000)
    cdn.wget(client, url("t/durable.html", world=world))
    time_to_commit(cdn)
    cdn.kill("httpserver", "tokyo")
    world.set("link", "origin", "tokyo", "cut")
    try:
        cdn.start_httpserver(world.hosts["tokyo"])

        def served():
            again, headers, _, status = cdn.wget(client, url("t/durable.html", world=world))
            return status == 0 and again == body and "hit" in perigee.cache_status(headers)

        perigee.wait_until("it serves from its file", served)
    finally:
        world.set("link", "origin", "tokyo", "restore")
    cdn.wait_ready()


def time_to_commit(cdn):
    """The writer commits behind the answer: waits until the object is in the file."""
    perigee.wait_until("the object is on disk", lambda: b"/t/durable.html" in cdn.cache_file("tokyo"))


def test_an_origin_that_is_gone_means_stale_if_stored_and_502_if_not(cdn, world, client):
    body = cdn.publish("short/stale.html", 3_000)
    cdn.wget(client, url("short/stale.html", world=world))
    cdn.kill("nginx", "origin", 15)
    try:
        def stale():
            again, headers, _, status = cdn.wget(client, url("short/stale.html", world=world))
            assert again == body and status == 0
            return "fwd=stale" in perigee.cache_status(headers)

        perigee.wait_until("it expires and is served all the same", stale)
        _, headers, took, _ = cdn.wget(client, url("t/never-seen.html", world=world))
        assert "502 Bad Gateway" in headers
        assert "Cache-Status:" in headers
        assert took < 5
    finally:
        cdn.start_origin()
        perigee.wait_until("the origin is back", lambda: cdn.wget(client, url("t/page.html"))[3] == 0)


def test_an_origin_that_does_not_answer_means_504_within_bounds(cdn, world, client, report):
    world.set("link", "origin", "tokyo", "cut")
    try:
        _, headers, took, _ = cdn.wget(client, url("t/black-hole.html", world=world))
        assert "504 Gateway Time" in headers
        report(f"an origin that swallows packets: 504 after {took:.1f} s")
        assert took < 15
    finally:
        world.set("link", "origin", "tokyo", "restore")


def test_the_budget_holds_and_popular_pages_stay(cdn, world, client):
    popular = cdn.publish("t/popular.jpg", 200_000)
    for _ in range(5):
        cdn.wget(client, url("t/popular.jpg", world=world))
    bulk = [f"t/bulk-{i}.jpg" for i in range(30)]
    for path in bulk:
        cdn.publish(path, 500_000)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: cdn.wget(client, url(path, world=world)), bulk))
    stats = cdn.stats("tokyo")
    assert 0.8 * BUDGET < stats["cache_bytes"] <= BUDGET
    assert stats["memory_bytes"] <= BUDGET
    assert stats["evictions"] > 0
    again, headers, _, _ = cdn.wget(client, url("t/popular.jpg", world=world))
    assert again == popular
    assert "hit" in perigee.cache_status(headers)
