package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Envoy formats %START_TIME% as 2024-05-01T12:00:00.123Z, and %START_TIME(f)%
// by strftime with %1f to %9f for parts of a second.
const startTimeForm = "2006-01-02T15:04:05.000Z"

// timeForms are strftime's conversions in Go's words. The map is never written to.
var timeForms = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'F': "2006-01-02", 'T': "15:04:05",
	'y': "06", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'e': "_2", 'I': "03", 'p': "PM", 'z': "-0700", 'Z': "MST",
}

func startTime(m *moment, form string) string {
	if m.hop.world == nil {
		return ""
	}
	t := m.hop.world.Now().UTC()
	if form == "" {
		return t.Format(startTimeForm)
	}
	s, _ := formatTime(t, form)
	return s
}

func checkTimeFormat(form string) error {
	_, err := formatTime(time.Time{}, form)
	return err
}

// formatTime formats t; err tells a conversion that is not carried out.
func formatTime(t time.Time, form string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(form, '%')
		if i < 0 || i+1 == len(form) {
			b.WriteString(form)
			return b.String(), nil
		}
		b.WriteString(form[:i])
		c := form[i+1]
		form = form[i+2:]
		switch {
		case c == '%':
			b.WriteByte('%')
		case c == 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case c == 'f':
			fmt.Fprintf(&b, "%09d", t.Nanosecond())
		case '1' <= c && c <= '9' && strings.HasPrefix(form, "f"):
			fmt.Fprintf(&b, "%09d", t.Nanosecond())
			s := b.String()
			b.Reset()
			b.WriteString(s[:len(s)-9+int(c-'0')])
			form = form[1:]
		case timeForms[c] != "":
			b.WriteString(t.Format(timeForms[c]))
		default:
			return "", fmt.Errorf("%%%c of START_TIME is not carried out", c)
		}
	}
}
