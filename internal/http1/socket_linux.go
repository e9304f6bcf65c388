package http1

import (
	"syscall"
	"unsafe"
)

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

// receive reads what is there, without waiting; so the scheduler need not hear
// of the system call.
func receive(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// transmit writes what the socket takes, without waiting.
func transmit(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
