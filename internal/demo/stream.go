package demo

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// events is a stream of server-sent events, one a second, the first at once.
// It ends with the client, or the process.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", n, n); err != nil {
			return
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// maxMessage bounds one WebSocket message, in bytes.
const maxMessage = 1 << 20

// echo is a WebSocket that sends every message back. Pages of other hosts may
// not use it: the library compares Origin with Host, which the door passes on.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the client has got the reason
	}
	defer c.CloseNow()
	c.SetReadLimit(maxMessage)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

// upload counts the bytes of a body, or of the file in a browser's form, and
// keeps none.
func (a *application) upload(w http.ResponseWriter, r *http.Request) {
	n, err := count(r)
	if err != nil {
		http.Error(w, fmt.Sprintf("the body ended after %d bytes: %v", n, err), http.StatusBadRequest)
		return
	}
	if wantsPage(r) {
		a.writePage(w, r, fmt.Sprintf("The application received %d bytes.", n))
		return
	}
	writeJSON(w, http.StatusOK, map[string]int64{"bytes": n})
}

func count(r *http.Request) (int64, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		return io.Copy(io.Discard, r.Body)
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := io.Copy(io.Discard, part)
		if total += n; err != nil {
			return total, err
		}
	}
}
