"""Stands where a check is asked, and dies by kill -9 while it answers: after as many bytes as it was told to send."""

import os
import signal
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nremote-user: root\r\nvestibule-acr: phr\r\nvestibule-auth-time: 1\r\nremote-email: r\r\n\r\n"

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    # Whoever only looks whether it listens asks nothing.
    if connection.recv(65536):
        connection.sendall(ANSWER[: int(sys.argv[2])])
        os.kill(os.getpid(), signal.SIGKILL)
