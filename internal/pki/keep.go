package pki

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/internal/statefile"
)

const (
	defaultFile = "default-certificate.pem" // in the state directory
	renewBefore = 30 * 24 * time.Hour       // the end of its validity
)

// KeepDefault returns the default certificate that is kept in the directory
// dir, so that clients that pinned it need not do so after each start. One that
// is missing, damaged or soon to expire is made anew. The directory is made if
// need be.
func KeepDefault(dir string) (*tls.Certificate, error) {
	file := filepath.Join(dir, defaultFile)
	data, err := os.ReadFile(file)
	switch {
	case err == nil:
		c, err := tls.X509KeyPair(data, data)
		if err == nil && time.Until(c.Leaf.NotAfter) > renewBefore {
			return &c, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the default certificate: %w", err)
	}
	c, err := Default()
	if err != nil {
		return nil, err
	}
	if err := keep(file, c); err != nil {
		return nil, fmt.Errorf("keep the default certificate: %w", err)
	}
	return c, nil
}

// keep writes a certificate and its key, whole or not at all, for the owner
// alone.
func keep(file string, c *tls.Certificate) error {
	chain, key, err := PEM(c)
	if err != nil {
		return err
	}
	return statefile.Write(file, append(chain, key...))
}
