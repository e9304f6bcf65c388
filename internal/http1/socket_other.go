//go:build !linux

package http1

import "syscall"

// peerClosed tells whether the peer has closed a connection with nothing left
// to read. It takes nothing from the socket.
func peerClosed(fd int) bool { return peeked(fd) == peekClosed }

func receive(fd int, b []byte) (int, error)  { return syscall.Read(fd, b) }
func transmit(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }
