package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/explain"
)

// maxAnswer bounds what a server may answer, in bytes.
const maxAnswer = 64 << 20

// askServer asks a running Doorward about its plan.
func (q *question) askServer(ctx context.Context) (*explain.Explanation, error) {
	if len(q.files)+len(q.kustomizations)+len(q.endpoints)+len(q.classes) > 0 || q.state != "" {
		return nil, errors.New("--admin asks the plan of a running Doorward: it goes without -f, -k, --endpoint, --ingress-class and --state")
	}
	if err := checkAddress(q.admin, false); err != nil {
		return nil, fmt.Errorf("--admin %s: %w; as in --admin 127.0.0.1:9901", q.admin, err)
	}
	data, err := json.Marshal(&q.Question)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+q.admin+"/explain", bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("--admin %s: %w", q.admin, err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{}} // no proxy of the environment: it is this machine
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("--admin %s: nobody answers there; doorward serve listens at its --admin address: %w", q.admin, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--admin %s: %w", q.admin, err)
	case resp.StatusCode == http.StatusBadRequest:
		return nil, errors.New(strings.TrimSpace(string(body)))
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("--admin %s answers %s: %s", q.admin, resp.Status, strings.TrimSpace(string(body)))
	}
	var e explain.Explanation
	if err := json.Unmarshal(body, &e); err != nil || len(e.Hops) == 0 {
		return nil, fmt.Errorf("--admin %s: what answers there is no Doorward of this version", q.admin)
	}
	return &e, nil
}
