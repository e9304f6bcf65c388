package http1

import "syscall"

type peek uint8

const (
	peekNothing peek = iota // open, nothing to read
	peekBytes
	peekClosed
)

// peeked looks at a socket without taking anything or waiting.
func peeked(fd int) peek {
	var one [1]byte
	for {
		n, _, err := syscall.Recvfrom(fd, one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return peekNothing
		case err != nil || n == 0:
			return peekClosed
		}
		return peekBytes
	}
}
