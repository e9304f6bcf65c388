// Package http1 is Doorward's own HTTP/1.1 engine (RFC 9112), for both sides
// of the proxy, and knows no policy.
//
// It has two floors. Below are the codecs: bytes in, bytes out, no connection
// and no goroutine. [ParseRequest] and [ParseResponse] read a head,
// [ChunkDecoder] a chunked body, and the Append functions write them. A
// message has one reading here or none: what two parsers could read in two
// ways is refused with a [ProtocolError], and the connection ends.
//
// Above is the driver, one goroutine a connection: [ServerConn] towards the
// client, [ClientConn] towards the upstream. Both move the codecs' bytes over
// a net.Conn, hold pooled buffers only while bytes are in them, and share one
// lazily armed timer for all of their limits ([TimeoutError]).
//
// A server is a loop:
//
//	c := server.NewConn(nc)
//	defer c.Close()
//	for {
//		req, err := c.ReadRequest()
//		if err != nil {
//			return // io.EOF, *ProtocolError, *TimeoutError, ErrHTTP2 ...
//		}
//		c.Begin(200, fields, 5) // head and first bytes leave in one write
//		c.Write([]byte("hello"))
//		c.End(nil)
//	}
//
// and an exchange with an upstream is
//
//	c.Begin(&req)           // nothing is sent yet
//	c.Write(body)           // any number of times
//	c.End(nil)              // sends what is left
//	resp, err := c.ReadResponse(nil)
//	... c.Body.Next() ...
//	if c.Reusable() { keep it }
package http1
