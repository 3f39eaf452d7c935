-- MySQL's types that break loaders, with the values that break them: zero dates, unsigned and signed
-- extremes, wide decimals, times beyond a day, bits, enums, sets, blobs, text outside of Unicode's first plane.
SET SESSION sql_mode = '';
SET SESSION time_zone = '+00:00';
CREATE TABLE hard (
  id int PRIMARY KEY, t1 tinyint(1), ti tinyint, tu tinyint unsigned, si smallint, su smallint unsigned,
  mi mediumint, mu mediumint unsigned, i int, iu int unsigned, b bigint, bu bigint unsigned,
  zf int(8) zerofill, dec102 decimal(10,2), dec3810 decimal(38,10), dec6530 decimal(65,30), decu decimal(20,0) unsigned,
  f float, d double, bo boolean, bit1 bit(1), bit13 bit(13), bit64 bit(64),
  da date, dt datetime, dt6 datetime(6), ts timestamp NULL, ts6 timestamp(6) NULL, ti6 time(6), ti0 time, y year,
  c char(5), v varchar(50), tx text, bi binary(4), vb varbinary(20), bl blob,
  e enum('', 'small', 'größer', 'it''s'), s set('a','b','ć d'), j json, latin varchar(20) CHARACTER SET latin1,
  g geometry, `Weird ``name"` int, gen int AS (i + 1) VIRTUAL
) DEFAULT CHARSET utf8mb4;
INSERT INTO hard (id, t1, ti, tu, si, su, mi, mu, i, iu, b, bu, zf, dec102, dec3810, dec6530, decu, f, d, bo, bit1, bit13, bit64,
  da, dt, dt6, ts, ts6, ti6, ti0, y, c, v, tx, bi, vb, bl, e, s, j, latin, g, `Weird ``name"`) VALUES
 (1, 1, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615,
  42, 12345678.90, 1234567890123456789012345678.0123456789, 12345678901234567890123456789012345.012345678901234567890123456789,
  18446744073709551615, 1.5, 1.7976931348623157e308, true, b'1', b'1010101010101', 0xFFFFFFFFFFFFFFFF,
  '2024-02-29', '2024-01-01 10:00:00', '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00', '2024-01-01 10:00:00.654321',
  '-838:59:58.000001', '12:34:56', 2024, 'ab', 'ż 😀', 'it''s \\ "x"\n', 'ab', 0x00FF27, 0xDEADBEEF00,
  'größer', 'a,ć d', '{"a": [1, null, "ż"]}', 'ÿ', ST_GeomFromText('POINT(1 2)'), 7),
 (2, 7, 127, 0, 32767, 0, 8388607, 0, 2147483647, 0, 9223372036854775807, 0, 12345678, -99999999.99, -0.0000000001,
  -0.000000000000000000000000000001, 0, -3.4e38, -2.5e-308, false, b'0', b'0', 0,
  '0000-00-00', '0000-00-00 00:00:00', '2024-00-15 10:00:00', '0000-00-00 00:00:00', '1970-01-01 00:00:01.000000',
  '838:59:59', '-00:00:01', 0, '', '', '', '', '', '', '', '', '[]', '', NULL, NULL),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, 0, 0, 128, 0, 32768, 0, 8388608, 0, 2147483648, 0, 9223372036854775808, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0x8000000000000001,
  '9999-12-31', '9999-12-31 23:59:59', '1000-01-01 00:00:00.000001', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999',
  '23:59:59.999999', '24:00:00', 2155, 'ab   ', 'a ', NULL, 0x00, 0x00, 0x00, 'it''s', 'b', '1', NULL, NULL, -1);
