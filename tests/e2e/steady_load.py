#!/usr/bin/python3
"""Asks every given address for / again and again, on kept connections and on new ones, without a retry, until its standard
input ends; then prints how many requests there were, and what failed, as JSON."""

import http.client
import itertools
import json
import sys
import threading

over = threading.Event()
done, failures = itertools.count(), []


def ask(address, port, host, keeps):
    connection = http.client.HTTPConnection(address, port, timeout=20)
    while not over.wait(0.02):
        try:
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            answer.read()
            next(done)
            if answer.status != 200:
                failures.append(f"{address}: {answer.status}")
        except (OSError, http.client.HTTPException) as error:
            failures.append(f"{address}, kept {keeps}: {error!r}")
            connection.close()
        if not keeps:
            connection.close()


def main(port, host, *addresses):
    threads = [threading.Thread(target=ask, args=(a, int(port), host, keeps)) for a in addresses for keeps in (True, False)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"requests": next(done), "failures": failures}))


main(*sys.argv[1:])
