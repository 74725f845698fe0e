/* Sends stdin over one connection and prints what comes back until the server closes.
 * Usage:  talk tcp|mptcp|sctp ADDRESS PORT <REQUEST     Build it with -static for an initramfs.
 * Is not: HTTP: the request says "Connection: close".
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int protocol_of(const char *name)
{
    if (strcmp(name, "sctp") == 0)
        return IPPROTO_SCTP;
    return strcmp(name, "mptcp") == 0 ? IPPROTO_MPTCP : IPPROTO_TCP;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    char bytes[16384];
    ssize_t size;

    if (argc != 4)
        return 2;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    int fd = socket(AF_INET, SOCK_STREAM, protocol_of(argv[1]));
    if (fd < 0 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
        return fail("socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return fail("connect");
    while ((size = read(0, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0, sent; at < size; at += sent)
            if ((sent = send(fd, bytes + at, (size_t)(size - at), 0)) < 0)
                return fail("send");
    while ((size = recv(fd, bytes, sizeof bytes, 0)) > 0)
        if (write(1, bytes, (size_t)size) != size)
            return fail("write");
    return size < 0 ? fail("recv") : 0;
}
