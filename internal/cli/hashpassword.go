package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/devidp"
)

func newHashPassword() *cobra.Command {
	return &cobra.Command{
		Use:     "hash-password",
		Short:   "Hash a password for the users file of --dev-login",
		Long:    "Hash-password reads one line from standard input and prints its hash (bcrypt).",
		Example: `  read -rs PASSWORD && printf %s "$PASSWORD" | doorward hash-password`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 4096)).ReadBytes('\n')
			if err != nil && err != io.EOF {
				return fmt.Errorf("read the password: %w", err)
			}
			hash, err := devidp.HashPassword(bytes.TrimRight(line, "\r\n"))
			if err != nil {
				return misused("%w", err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
			return err
		},
	}
}
