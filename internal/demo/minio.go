package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// storedObject is what is kept of an upload: everything but its bytes.
type storedObject struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// maxObjects bounds how many uploads a store remembers.
const maxObjects = 20

// store remembers the newest uploads.
type store struct {
	mu      sync.Mutex
	objects []storedObject
}

func (s *store) add(o storedObject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = append(s.objects, o)
	s.objects = append([]storedObject(nil), s.objects[max(0, len(s.objects)-maxObjects):]...)
}

func (s *store) list() []storedObject {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]storedObject(nil), s.objects...)
}

// console answers like MinIO's console: on a host of its own, without a prefix.
func console(s *store) *application {
	return &application{
		Name:   "MinIO",
		About:  "Stands for an object store on a host of its own: large bodies, long silences, large headers.",
		Try:    []link{{"large-header?bytes=20000", "An answer with 20,000 bytes of headers"}},
		Page:   page(minioContent),
		Data:   func(*http.Request) any { return s.list() },
		Routes: s.routes,
	}
}

// s3 is the same store as programs inside the cluster reach it.
func s3(s *store) *application {
	return &application{Name: "MinIO S3", About: "The store's other port.", Page: page(""), Routes: s.routes}
}

func (s *store) routes(mux *http.ServeMux) {
	ready := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /minio/health/ready", ready)
	mux.HandleFunc("GET /large-header", largeHeader)
	mux.HandleFunc("PUT /{bucket}/{object...}", s.put)
}

// put takes an object of any size, remembers its length and digest and
// forgets its bytes.
func (s *store) put(w http.ResponseWriter, r *http.Request) {
	digest := sha256.New()
	n, err := io.Copy(digest, r.Body)
	if err != nil {
		http.Error(w, fmt.Sprintf("the object ended after %d bytes: %v", n, err), http.StatusBadRequest)
		return
	}
	o := storedObject{r.PathValue("bucket") + "/" + r.PathValue("object"), n, hex.EncodeToString(digest.Sum(nil))}
	s.add(o)
	w.Header().Set("ETag", `"`+o.SHA256+`"`)
	writeJSON(w, http.StatusOK, o)
}

// largeHeader answers with as many bytes of header as the query asks for, up
// to 64 KiB, in one cookie-like field.
func largeHeader(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("bytes"))
	if err != nil || n < 0 || n > 64<<10 {
		http.Error(w, "bytes must be a number up to 65536", http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Large", strings.Repeat("x", n))
	writeJSON(w, http.StatusOK, map[string]int{"headerBytes": n})
}

const minioContent = `<section aria-labelledby="objects">
<h2 id="objects">Newest objects</h2>
{{if .Shown}}<table><thead><tr><th scope="col">Object</th><th scope="col">Bytes</th></tr></thead>
<tbody>{{range .Shown}}<tr><th scope="row">{{.Name}}</th><td>{{.Bytes}}</td></tr>{{end}}</tbody></table>
{{else}}<p>None yet. Put one: <code>curl -k -T FILE https://{{.Host}}/bucket/name</code></p>{{end}}
</section>`
