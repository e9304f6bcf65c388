package extauthz

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

var errMessage = errors.New("its answer is no CheckResponse")

// field is one field of a protobuf message: a number, or bytes.
type field struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

// fields calls f with every field of a message, in order.
func fields(m []byte, f func(field) error) error {
	for len(m) > 0 {
		number, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			return errMessage
		}
		m = m[n:]
		x := field{number: number}
		switch kind {
		case protowire.VarintType:
			x.value, n = protowire.ConsumeVarint(m)
		case protowire.BytesType:
			x.bytes, n = protowire.ConsumeBytes(m)
		default:
			n = protowire.ConsumeFieldValue(number, kind, m)
		}
		if n < 0 {
			return errMessage
		}
		m = m[n:]
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// readCheckResponse reads envoy.service.auth.v3.CheckResponse. Dynamic metadata and
// edits of the query are not carried out. request are the fields of the request.
func readCheckResponse(m []byte, request header.Fields) (plan.Verdict, error) {
	var code uint64
	var denied, ok []byte
	err := fields(m, func(x field) error {
		switch x.number {
		case 1: // google.rpc.Status
			return fields(x.bytes, func(s field) error {
				if s.number == 1 {
					code = s.value
				}
				return nil
			})
		case 2: // of the two the last counts
			denied, ok = x.bytes, nil
		case 3:
			denied, ok = nil, x.bytes
		}
		return nil
	})
	if err != nil {
		return plan.Verdict{}, err
	}
	if code != 0 {
		return readDenied(denied)
	}
	return readOK(ok, request)
}

// readDenied reads DeniedHttpResponse.
func readDenied(m []byte) (plan.Verdict, error) {
	v := plan.Verdict{Status: 403}
	err := fields(m, func(x field) error {
		switch x.number {
		case 1: // type.v3.HttpStatus
			return fields(x.bytes, func(s field) error {
				if s.number == 1 && s.value != 0 {
					v.Status = int(s.value)
				}
				return nil
			})
		case 2:
			o, err := readOption(x.bytes)
			v.Header = append(v.Header, o.Field)
			return err
		case 3:
			v.Body = string(x.bytes)
		}
		return nil
	})
	if err == nil && (v.Status < 200 || v.Status > 599) {
		err = fmt.Errorf("its answer has the status %d", v.Status)
	}
	return v, err
}

// readOK reads OkHttpResponse.
func readOK(m []byte, request header.Fields) (plan.Verdict, error) {
	v := plan.Verdict{Allowed: true, Status: 200}
	err := fields(m, func(x field) error {
		switch x.number {
		case 2:
			o, err := readOption(x.bytes)
			_, there := request.Get(o.Name)
			switch {
			case o.append:
				v.Append = append(v.Append, o.Field)
			case o.says || o.wanted(there):
				v.Set = append(v.Set, o.Field)
			}
			return err
		case 5:
			v.Remove = append(v.Remove, strings.ToLower(string(x.bytes)))
		case 6:
			o, err := readOption(x.bytes)
			if o.append || !o.says && o.action <= 1 {
				v.AnswerAdd = append(v.AnswerAdd, o.Field)
			} else {
				v.AnswerSet = append(v.AnswerSet, o.Field)
			}
			return err
		}
		return nil
	})
	return v, err
}

// option is core.v3.HeaderValueOption.
type option struct {
	header.Field
	says, append bool   // the older field append is there, and what it says
	action       uint64 // append_action
}

// wanted tells whether a field is to be set that is there already, or not.
func (o *option) wanted(there bool) bool {
	switch o.action {
	case 1: // ADD_IF_ABSENT
		return !there
	case 3: // OVERWRITE_IF_EXISTS
		return there
	}
	return true
}

func readOption(m []byte) (option, error) {
	var o option
	err := fields(m, func(x field) error {
		switch x.number {
		case 1: // core.v3.HeaderValue
			return fields(x.bytes, func(h field) error {
				switch h.number {
				case 1:
					o.Name = strings.ToLower(string(h.bytes))
				case 2, 3:
					if len(h.bytes) > 0 {
						o.Value = string(h.bytes)
					}
				}
				return nil
			})
		case 2: // google.protobuf.BoolValue
			o.says = true
			return fields(x.bytes, func(b field) error {
				o.append = b.number == 1 && b.value != 0
				return nil
			})
		case 3:
			o.action = x.value
		}
		return nil
	})
	if err == nil && (!http1.ValidName(strings.TrimPrefix(o.Name, ":")) || !http1.ValidValue(o.Value)) {
		err = fmt.Errorf("its answer sets the header %q, which cannot be written", o.Name)
	}
	return o, err
}
