package http1

import "syscall"

// States of a TCP socket, as the kernel numbers them.
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

// peerClosed tells whether the peer has closed or reset a TCP connection,
// even behind bytes that nobody has read. It takes nothing from the socket.
func peerClosed(fd int) bool {
	info, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	if err != nil {
		return peeked(fd) == peekClosed
	}
	state := info & 0xff // the first byte of struct tcp_info
	return state == tcpCloseWait || state == tcpClose
}
