//go:build !linux

package http1

// peerClosed tells whether the peer has closed a connection with nothing left
// to read. It takes nothing from the socket.
func peerClosed(fd int) bool { return peeked(fd) == peekClosed }
