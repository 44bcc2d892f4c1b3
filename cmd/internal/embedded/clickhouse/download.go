package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// download downloads url into part and resumes an earlier attempt. The checksum is verified afterwards: a server that ignores Range, or a
// file that has changed, costs another download but never gives a wrong library.
func download(ctx context.Context, url, part string, total int64, pr *progress) error {
	const attempts = 4
	var err error
	for i := range attempts {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(i) * downloadPause):
			}
		}
		var again bool
		if again, err = downloadOnce(ctx, url, part, total, pr); err == nil || !again || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// downloadPause is the pause before the second attempt. It is a variable for tests.
var downloadPause = time.Second

// downloadOnce makes one attempt. again reports whether another attempt may succeed.
func downloadOnce(ctx context.Context, url, part string, total int64, pr *progress) (again bool, err error) {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, diskError(err)
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, diskError(err)
	}
	if have == total {
		return false, nil
	}
	if have > total {
		have = 0
	}
	resp, again, err := requestFrom(ctx, url, have)
	if err != nil {
		return again, err
	}
	defer resp.Body.Close()
	have, again, err = resumeAt(resp, f, have)
	if err != nil {
		return again, err
	}
	return writeRest(f, pr.reader(resp.Body, have), have, total)
}

// requestFrom requests the file from an offset.
func requestFrom(ctx context.Context, url string, have int64) (resp *http.Response, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, false, &FetchError{What: EnvURL + " is no URL", Do: "give the tarball's address", Err: err}
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	if resp, err = http.DefaultClient.Do(req); err != nil {
		return nil, true, &FetchError{What: "no network to " + EnvURL, Do: "check the address and the network, then run again: it resumes",
			Err: err}
	}
	return resp, false, nil
}

// resumeAt sets the file to the offset at which the response begins, and returns this offset.
func resumeAt(resp *http.Response, f *os.File, have int64) (at int64, again bool, err error) {
	switch {
	case resp.StatusCode == http.StatusPartialContent && have > 0:
	case resp.StatusCode == http.StatusOK:
		have = 0
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if err := f.Truncate(0); err != nil {
			return 0, false, diskError(err)
		}
		return 0, true, &FetchError{What: "the server refuses to resume", Do: "run again"}
	default:
		return 0, resp.StatusCode >= 500, &FetchError{What: fmt.Sprintf("%s answered %s", EnvURL, resp.Status), Do: "check the address"}
	}
	if err := f.Truncate(have); err != nil {
		return 0, false, diskError(err)
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return 0, false, diskError(err)
	}
	return have, false, nil
}

// writeRest writes the bytes after the first have bytes, and checks that the file then has total bytes.
func writeRest(f *os.File, body io.Reader, have, total int64) (again bool, err error) {
	n, err := io.Copy(f, io.LimitReader(body, total-have+1))
	switch {
	case err != nil && isDisk(err):
		return false, diskError(err)
	case err != nil:
		return true, &FetchError{What: "the download broke off", Do: "run again: it resumes", Err: err}
	case have+n < total:
		what := fmt.Sprintf("the download ended after %d of %d bytes", have+n, total)
		return true, &FetchError{What: what, Do: "run again: it resumes", Err: io.ErrUnexpectedEOF}
	case have+n > total:
		_ = f.Truncate(0)
		return false, errChecksum(errors.New("more bytes than the package has"))
	}
	return false, nil
}
