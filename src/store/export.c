/* A store as lines of JSON.
 * SPDX-License-Identifier: MIT */
#include "store/transfer.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/stream_time.h"
#include "codec/utf8.h"
#include "store/db.h"
#include "stream/record.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>

typedef struct exporting {
    dx_store_walker walker;
    const char *pattern;
    FILE *to;
    dx_transfer_count count;
    dx_record_view record;
    dx_buffer text; /* of a string */
    dx_err err;
    char *why;
} exporting;

/* ---- values ----------------------------------------------------------------------------------- */

static bool fail(exporting *e, dx_err err, const char *what)
{
    e->err = err;
    dx_why(e->why, "%s", what);
    return false;
}

static bool reserve(exporting *e, size_t size)
{
    e->text.size = 0;
    return dx_buffer_reserve(&e->text, size) || fail(e, DX_ERR_MEMORY, "out of memory");
}

/* A string, or, where it is none, base64 under another name. */
static bool put_bytes(exporting *e, const char *name, dx_bytes bytes)
{
    bool is_text = dx_utf8_is_valid(bytes);
    size_t bound = is_text ? 6 * bytes.size + 2 : DX_BASE64_TEXT_SIZE(bytes.size), size = bound;

    if (!reserve(e, bound + 1))
        return false;
    if (is_text)
        size = dx_json_write_string(bytes, e->text.at, bound);
    else
        dx_base64_write(bytes, (char *)e->text.at);
    fprintf(e->to, is_text ? "\"%s\":" : "\"%s_base64\":\"", name);
    fwrite(e->text.at, 1, size, e->to);
    if (!is_text)
        fputc('"', e->to);
    return true;
}

static void put_time(exporting *e, const char *name, uint64_t ms)
{
    uint8_t text[DX_STREAM_TIME_MAX];
    size_t size = dx_stream_time_write(ms, text);

    fprintf(e->to, ",\"%s\":\"%.*s\"", name, (int)size, (const char *)text);
}

static void put_offset(exporting *e, dx_offset offset)
{
    uint8_t text[DX_OFFSET_SIZE];

    dx_offset_write(offset, text);
    fprintf(e->to, "\"%.*s\"", DX_OFFSET_SIZE, (const char *)text);
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void put_head(exporting *e, const dx_store_stream *stream, uint64_t used_ms)
{
    static const char *const kinds[] = {"none", "text", "json", "binary"};
    const dx_record_view *r = &e->record;

    fprintf(e->to, ",\"kind\":\"%s\",\"identity\":\"%016" PRIx64 "\",\"epochs\":[", kinds[r->kind],
            r->identity);
    for (uint32_t i = 0; i < r->runs_count; i++) {
        fputs(i > 0 ? "," : "", e->to);
        put_offset(e, dx_record_run(r, i));
    }
    fprintf(e->to, "],\"first\":%" PRIu64 ",\"tail\":%" PRIu64, stream->first, stream->tail);
    if (r->is_closed)
        fputs(",\"closed\":true", e->to);
    if (r->lifetime.kind == DX_LIFETIME_IDLE) {
        fprintf(e->to, ",\"ttl_s\":%" PRIu64, r->lifetime.idle_s);
        put_time(e, "used", used_ms);
    }
    if (r->lifetime.kind == DX_LIFETIME_UNTIL)
        put_time(e, "expires", r->lifetime.until_ms);
    fputs("}\n", e->to);
}

static bool put_fact(exporting *e, const dx_fact_view *f)
{
    switch (f->kind) {
    case DX_FACT_IS_OTHER:
    case DX_FACT_IS_USED:
    case DX_FACT_IS_BYTES: return true;
    case DX_FACT_IS_SEQUENCE:
        fputc('{', e->to);
        if (!put_bytes(e, "stream_seq", f->name))
            return false;
        fputs("}\n", e->to);
        return true;
    case DX_FACT_IS_PRODUCER:
        fputc('{', e->to);
        if (!put_bytes(e, "producer", f->name))
            return false;
        fprintf(e->to, ",\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64, f->numbers[0], f->numbers[1]);
        put_time(e, "used", f->numbers[2]);
        fputs("}\n", e->to);
        return true;
    case DX_FACT_IS_KEY:
        fputc('{', e->to);
        if (!put_bytes(e, "idempotency_key", f->name))
            return false;
        fprintf(e->to, ",\"hash\":\"%016" PRIx64 "\",\"next\":", f->numbers[0]);
        put_offset(e, (dx_offset){f->numbers[1], f->numbers[2]});
        put_time(e, "until", f->until_ms);
        fputs("}\n", e->to);
        return true;
    }
    dx_unreachable("dx_fact_kind outside its enum");
}

static bool is_wanted(const exporting *e, dx_bytes path)
{
    char text[DX_PATH_BYTES_MAX + 1];

    if (path.size == 0 || path.size > DX_PATH_BYTES_MAX)
        return false;
    memcpy(text, path.at, path.size);
    text[path.size] = '\0';
    return e->pattern == NULL || fnmatch(e->pattern, text, 0) == 0;
}

static bool on_stream(dx_store_walker *walker, const dx_store_stream *stream)
{
    exporting *e = DX_CONTAINER(walker, exporting, walker);
    uint64_t used_ms = 0;

    walker->is_passed_over = true;
    if (!is_wanted(e, stream->path))
        return true;
    if (!dx_record_view_read(stream->record, &e->record))
        return fail(e, DX_ERR_CONFLICT,
                    "a stream's record is damaged, or of a newer version of duplex");
    if (e->record.is_deleted)
        return true;
    walker->is_passed_over = false;
    for (size_t i = 0; i < stream->facts_count; i++) {
        dx_fact_view f = dx_fact_view_read(&stream->facts[i]);
        used_ms = f.kind == DX_FACT_IS_USED ? f.numbers[0] : used_ms;
    }
    fputc('{', e->to);
    if (!put_bytes(e, "stream", stream->path))
        return false;
    fputc(',', e->to);
    if (!put_bytes(e, "type", e->record.type))
        return false;
    put_head(e, stream, used_ms);
    e->count.streams++;
    for (size_t i = 0; i < stream->facts_count; i++) {
        dx_fact_view f = dx_fact_view_read(&stream->facts[i]);
        if (!put_fact(e, &f))
            return false;
    }
    return !ferror(e->to) || fail(e, DX_ERR_CLOSED, strerror(errno));
}

/* A line's end is no part of a line; blanks around a value would be lost. */
static bool is_json_line(dx_bytes payload)
{
    size_t error_at;

    return memchr(payload.at, '\n', payload.size) == NULL &&
           dx_json_check(payload, DX_JSON_DEPTH_MAX - 1, &error_at) == DX_JSON_OK &&
           dx_json_trim(payload).size == payload.size;
}

static bool on_message(dx_store_walker *walker, const dx_message *message)
{
    exporting *e = DX_CONTAINER(walker, exporting, walker);
    dx_bytes payload = dx_message_payload(message);

    fputs("{\"offset\":", e->to);
    put_offset(e, (dx_offset){message->epoch, message->sequence});
    put_time(e, "time", message->time_ms);
    fputs(message->is_last ? "," : ",\"more\":true,", e->to);
    if (e->record.kind == DX_STREAM_JSON && is_json_line(payload)) {
        fputs("\"json\":", e->to);
        fwrite(payload.at, 1, payload.size, e->to);
    } else if (!put_bytes(e, "text", payload)) {
        return false;
    }
    fputs("}\n", e->to);
    e->count.messages++;
    return !ferror(e->to) || fail(e, DX_ERR_CLOSED, strerror(errno));
}

dx_err dx_store_export(const char *directory, const char *pattern, FILE *to, dx_transfer_count *ret,
                       char *why)
{
    exporting e = {.walker = {.on_stream = on_stream, .on_message = on_message},
                   .pattern = pattern,
                   .to = to,
                   .err = DX_OK,
                   .why = why};

    fputs("{\"duplex\":\"export\",\"version\":1}\n", to);
    dx_err err = dx_store_sqlite_walk(directory, &e.walker, why);
    dx_buffer_clear(&e.text);
    if (err == DX_OK)
        err = e.err;
    if (err != DX_OK)
        return err;
    fprintf(to, "{\"end\":true,\"streams\":%" PRIu64 ",\"messages\":%" PRIu64 "}\n",
            e.count.streams, e.count.messages);
    if (fflush(to) != 0 || ferror(to)) {
        dx_why(why, "%s", strerror(errno));
        return DX_ERR_CLOSED;
    }
    *ret = e.count;
    return DX_OK;
}
