/* A small benchmark as people write them: reads a file, counts its words and lines, checks it by CRC-32, sorts and multiplies, and prints
   what it found and how long it took by the target's clock.

   words FILE ROUNDS */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t crc32(const unsigned char *bytes, size_t length)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
        }
    }
    return ~crc;
}

static int ascending(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* A sum over a matrix product with small integers: multiply-accumulate, loads, nested loops. */
static uint32_t product(void)
{
    enum { N = 12 };
    static int16_t a[N][N], b[N][N];
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = (int16_t)(i * 7 - j * 3);
            b[i][j] = (int16_t)(i + j * 5 - 30);
        }
    }
    int32_t sum = 0;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            int32_t cell = 0;
            for (int k = 0; k < N; k++) {
                cell += a[i][k] * b[k][j];
            }
            sum ^= cell * (i + 1);
        }
    }
    return (uint32_t)sum;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: words FILE ROUNDS\n");
        return 64;
    }
    FILE *file = fopen(argv[1], "rb");
    if (!file) {
        perror(argv[1]);
        return 2;
    }
    static unsigned char text[4096];
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);

    unsigned words = 0, lines = 0;
    int within = 0;
    for (size_t i = 0; i < length; i++) {
        int letter = text[i] > ' ';
        words += letter && !within;
        lines += text[i] == '\n';
        within = letter;
    }
    int rounds = atoi(argv[2]);
    uint32_t check = 0;
    for (int round = 0; round < rounds; round++) {
        static uint32_t numbers[64];
        uint32_t state = 12345u + (uint32_t)round;
        for (int i = 0; i < 64; i++) {
            state = state * 1664525u + 1013904223u;
            numbers[i] = state / 1000u;
        }
        qsort(numbers, 64, sizeof numbers[0], ascending);
        check = check * 31u + numbers[32] + product() + crc32(text, length);
    }
    printf("%s: %u words, %u lines, %u bytes, crc %08lx\n", argv[1], words, lines, (unsigned)length, (unsigned long)crc32(text, length));
    printf("check %08lx\n", (unsigned long)check);

    FILE *out = fopen("result.txt", "w");
    if (!out) {
        perror("result.txt");
        return 3;
    }
    fprintf(out, "%u %u\n", words, lines);
    fclose(out);
    fprintf(stderr, "ticks %s zero\n", clock() == 0 ? "are" : "are not");
    return rounds > 100 ? 100 : rounds;
}
