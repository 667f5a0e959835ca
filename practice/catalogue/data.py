"""What records are made of: invented names and captions, places, cameras, and the distributions of 162 real records.

Data only: what is computed from it, or chosen by chance, belongs into the modules that use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

Knots = Sequence[tuple[float, float]]

# fmt: off
# "Now" of the catalogue, in seconds since 1970: a fixed day keeps the ages of the photos the same for ever.
SNAPSHOT = int(datetime(2026, 10, 20, 12, tzinfo=UTC).timestamp())
DAY = 86_400

# (share of the photos, value) at the percentiles of 162 real records; the ends follow the long tails there.
PREMIUM_SHARE = 0.045
LIKES: Knots = ((0, 3), (0.05, 13), (0.25, 34), (0.5, 54), (0.75, 78), (0.95, 144), (0.99, 420), (1, 6_000))
VIEWS: Knots = ((PREMIUM_SHARE, 12e3), (0.05, 67.6e3), (0.25, 221e3), (0.5, 339e3), (0.75, 469e3),
                (0.95, 993e3), (0.99, 2.4e6), (0.999, 13e6), (1, 40e6))
DOWNLOADS: Knots = ((PREMIUM_SHARE, 90), (0.05, 427), (0.25, 1_952), (0.5, 2_925), (0.75, 4_993),
                    (0.95, 8_521), (0.99, 22e3), (0.999, 170e3), (1, 500e3))
AGE_DAYS: Knots = ((0, 2), (0.25, 260), (0.5, 720), (0.75, 1_400), (0.95, 2_700), (1, 3_900))

ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HEX_DIGITS = "0123456789abcdef"
BLUR_HASH_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
SLUG_LANGUAGES = ("en", "es", "ja", "fr", "it", "ko", "de", "pt", "id")
TOPICS = ("nature", "wallpapers", "travel", "film", "experimental", "textures-patterns",
          "architecture-interior", "street-photography", "current-events", "spirituality")
IMAGE_LIBRARY = "rb-4.1.0"  # value of `ixlib` in addresses of 2025 and 2026

# --- cameras -----------------------------------------------------------------------------------------

_SYSTEM = ((24, 24, 1.4), (35, 35, 1.4), (35, 35, 1.8), (50, 50, 1.4), (50, 50, 1.8), (85, 85, 1.8),
           (24, 70, 2.8), (24, 105, 4), (70, 200, 2.8), (16, 35, 4), (100, 400, 5.6), (90, 90, 2.8))
_CROP = ((16, 16, 1.4), (23, 23, 2), (35, 35, 1.4), (56, 56, 1.2), (18, 55, 3.5), (16, 55, 2.8),
         (55, 200, 4.5), (10, 24, 4), (27, 27, 2.8))
_FOUR_THIRDS = ((12, 40, 2.8), (25, 25, 1.7), (17, 17, 1.8), (45, 45, 1.8), (40, 150, 4))

# Share of all photos in percent, make, lenses, then "model/long/short" of each camera.
CAMERA_LIST: tuple[tuple[float, str, tuple[tuple[float, float, float], ...], str], ...] = (
    (22, "Canon", _SYSTEM, " EOS R5/8192/5464, EOS R6/5472/3648, EOS R/6720/4480, EOS RP/6240/4160,"
     " EOS 5D Mark IV/6720/4480, EOS 5D Mark III/5760/3840, EOS 6D/5472/3648, EOS 6D Mark II/6240/4160,"
     " EOS 80D/6000/4000, EOS 70D/5472/3648, EOS M50/6000/4000, EOS 700D/5184/3456, EOS 1200D/5184/3456"),
    (17, "SONY", _SYSTEM, "ILCE-7M3/6000/4000,ILCE-7M3/6000/4000,ILCE-7M4/7008/4672,ILCE-7RM3/7952/5304,"
     "ILCE-7RM4/9504/6336,ILCE-7M2/6000/4000,ILCE-7C/6000/4000,ILCE-6000/6000/4000,ILCE-6400/6000/4000,"
     "ZV-E10/6000/4000"),
    (10.6, "FUJIFILM", _CROP, "X-T3/6240/4160,X-T4/6240/4160,X-T5/7728/5152,X-T30/6240/4160,X-T20/6000/4000,"
     "X-S10/6240/4160,X-E4/6240/4160,X-H2/7728/5152,X-T2/6000/4000"),
    (1.4, "FUJIFILM", ((23, 23, 2),), "X100V/6240/4160,X100F/6000/4000,X100VI/7728/5152"),
    (9, "NIKON CORPORATION", _SYSTEM, "NIKON D750/6016/4016,NIKON D850/8256/5504,NIKON Z 6/6048/4024,"
     "NIKON Z 6_2/6048/4024,NIKON Z 7_2/8256/5504,NIKON Z 5/6016/4016,NIKON Z fc/5568/3712,"
     "NIKON D7500/5568/3712,NIKON D5300/6000/4000,NIKON D3300/6000/4000"),
    (3, "DJI", ((6.7, 6.7, 1.7), (8.4, 8.4, 2.8)), "FC3582/4032/3024,FC8482/8064/6048,FC3411/5472/3648,"
     "FC7303/4000/3000"),
    (1.5, "RICOH IMAGING COMPANY, LTD.", ((18.3, 18.3, 2.8),),
     "RICOH GR III/6000/4000,RICOH GR IIIx/6000/4000"),
    (1.5, "Panasonic", _FOUR_THIRDS, "DC-S5/6000/4000,DC-GH5/5184/3888,DC-G9/5184/3888,DMC-GX85/4592/3448"),
    (1.5, "LEICA CAMERA AG", ((28, 28, 1.7),),
     "LEICA Q2/8368/5584,LEICA Q3/9520/6336,LEICA Q (Typ 116)/6000/4000"),
    (2, "Apple", ((5.7, 5.7, 1.5), (6.86, 6.86, 1.78), (4.25, 4.25, 1.8)), "iPhone 13 Pro/4032/3024,"
     "iPhone 12/4032/3024,iPhone 14 Pro/4032/3024,iPhone 15 Pro/5712/4284,iPhone XR/4032/3024"),
    (0.9, "Google", ((6.81, 6.81, 1.85),), "Pixel 6/4080/3072,Pixel 7/4080/3072,Pixel 8 Pro/4080/3072"),
    (0.7, "OLYMPUS CORPORATION", _FOUR_THIRDS, "E-M10MarkII/4608/3456,E-M5MarkIII/5184/3888"),
    (0.5, "samsung", ((5.4, 5.4, 1.8),), "SM-G991B/4000/3000,SM-S911B/4000/3000"),
    (0.4, "Hasselblad", ((12.3, 12.3, 2.8),), "L2D-20c/5280/3956"),
    (0.5, "NORITSU KOKI", (), "QSS-32_33/3637/2433,QSS-32_33/6774/4492"),
)

# What is uploaded without EXIF: files of usual cameras, scans, and exports for the web.
UNKNOWN_SENSORS = ((6000, 4000), (5472, 3648), (4032, 3024), (4000, 3000), (3840, 2560), (5184, 3456),
                   (6720, 4480), (3637, 2433), (3840, 2160), (4896, 3264))
# long edge : short edge
CROPS = (5 / 4, 5 / 4, 5 / 4, 4 / 3, 4 / 3, 3 / 2, 3 / 2, 7 / 5, 16 / 9, 16 / 9, 2.0)
EXPORTS = (2800, 3000, 3200, 3600, 3840, 4000, 4320, 4500, 4800, 5000, 5400, 6000)      # long edge, pixels
_SPEED_LIST = """\
    30 25 20 15 13 10 8 6 5 4 3 2.5 2 1.6 1.3 1 0.8 0.6 0.5 0.4 0.3 1/4 1/5 1/6 1/8 1/10 1/13 1/15
    1/20 1/25 1/30 1/40 1/50 1/60 1/80 1/100 1/125 1/160 1/200 1/250 1/320 1/400 1/500 1/640 1/800
    1/1000 1/1250 1/1600 1/2000 1/2500 1/3200 1/4000 1/5000 1/6400 1/8000"""
SPEEDS = tuple(_SPEED_LIST.split())   # seconds
APERTURES = (1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3.2, 3.5, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9, 10, 11, 13, 16)
ISOS = (100, 125, 160, 200, 250, 320, 400, 500, 640, 800, 1000, 1250, 1600, 2000, 2500, 3200, 4000,
        5000, 6400)

# --- places ------------------------------------------------------------------------------------------

# name|city|country|latitude|longitude, degrees to two digits; a place without a city is a region.
PLACE_LIST = """\
Porto, Portugal|Porto|Portugal|41.15|-8.61
Lofoten, Norway||Norway|68.25|14.55
Bergen, Norway|Bergen|Norway|60.39|5.32
Iceland||Iceland|64.96|-19.02
Vík í Mýrdal, Iceland|Vík í Mýrdal|Iceland|63.42|-19.01
Isle of Skye, United Kingdom||United Kingdom|57.29|-6.18
Edinburgh, UK|Edinburgh|United Kingdom|55.95|-3.19
Cornwall, UK||United Kingdom|50.43|-5.02
Galway, Ireland|Galway|Ireland|53.27|-9.06
Dolomites, Italy||Italy|46.41|11.84
Lago di Braies, Prags, Südtirol, Italien|Prags|Italien|46.69|12.09
Cinque Terre, SP, Italia||Italia|44.13|9.71
Zermatt, Schweiz|Zermatt|Schweiz|46.02|7.75
Grindelwald, Switzerland|Grindelwald|Switzerland|46.62|8.04
Hallstatt, Austria|Hallstatt|Austria|47.56|13.65
Berchtesgaden, Deutschland|Berchtesgaden|Deutschland|47.63|13.00
Hamburg, Germany|Hamburg|Germany|53.55|9.99
Annecy, France|Annecy|France|45.90|6.13
Étretat, France|Étretat|France|49.71|0.20
Asturias, España||España|43.36|-5.86
Tenerife, Spain||Spain|28.29|-16.63
Zakopane, Polska|Zakopane|Polska|49.30|19.95
Bled, Slovenia|Bled|Slovenia|46.37|14.11
Plitvice Lakes, Croatia||Croatia|44.87|15.58
Kotor, Montenegro|Kotor|Montenegro|42.42|18.77
Santorini, Greece||Greece|36.39|25.46
Cappadocia, Türkiye||Türkiye|38.64|34.83
Kazbegi, Georgia|Stepantsminda|Georgia|42.66|44.64
Helsinki, Finland|Helsinki|Finland|60.17|24.94
Abisko, Sweden|Abisko|Sweden|68.35|18.83
Faroe Islands||Faroe Islands|62.01|-6.77
Banff National Park, Alberta, Canada||Canada|51.50|-115.93
Tofino, BC, Canada|Tofino|Canada|49.15|-125.91
Vancouver, BC, Canada|Vancouver|Canada|49.28|-123.12
Yosemite Valley, California, USA||United States|37.75|-119.59
Big Sur, CA, USA||United States|36.27|-121.81
Seattle, WA, USA|Seattle|United States|47.61|-122.33
Moab, UT, USA|Moab|United States|38.57|-109.55
Chicago, IL, USA|Chicago|United States|41.88|-87.63
Acadia National Park, Maine, USA||United States|44.34|-68.27
Oaxaca, México|Oaxaca|México|17.07|-96.73
Torres del Paine, Chile||Chile|-50.94|-73.41
El Chaltén, Argentina|El Chaltén|Argentina|-49.33|-72.89
Ubatuba, SP, Brasil|Ubatuba|Brasil|-23.43|-45.08
Cusco, Perú|Cusco|Perú|-13.53|-71.97
Merzouga, Morocco|Merzouga|Morocco|31.10|-4.01
Sossusvlei, Namibia||Namibia|-24.73|15.34
Cape Town, South Africa|Cape Town|South Africa|-33.92|18.42
Ladakh, India||India|34.21|77.62
Munnar, Kerala, India|Munnar|India|10.09|77.06
Ella, Sri Lanka|Ella|Sri Lanka|6.87|81.05
Hà Giang, Vietnam|Hà Giang|Vietnam|22.80|104.98
Ubud, Bali, Indonesia|Ubud|Indonesia|-8.51|115.26
Yogyakarta, Indonesia|Yogyakarta|Indonesia|-7.80|110.37
富士河口湖町, 日本|富士河口湖町|日本|35.50|138.76
Kyoto, Japan|Kyoto|Japan|35.01|135.77
Hokkaido, Japan||Japan|43.22|142.86
제주도, 대한민국||대한민국|33.50|126.53
Taipei, Taiwan|Taipei|Taiwan|25.03|121.57
Tekapo, New Zealand|Tekapo|New Zealand|-44.00|170.48
Wānaka, New Zealand|Wānaka|New Zealand|-44.69|169.13
Great Ocean Road, Victoria, Australia||Australia|-38.68|143.39
Tasmania, Australia||Australia|-42.04|146.64"""

# --- photographers -----------------------------------------------------------------------------------

# A line of given names above one of family names: every pair of these is an invented photographer. Blanks
# within a name are written "~".
NAME_LISTS = """\
Amelia Callum Harriet Rory Imogen Elliot Poppy Fergus Beth Alistair Tilly Duncan Freya Graham Nell Owen
Ashcombe Birkett Calloway Dunmore Fairhurst Garside Holloway Inglis Kershaw Lockyer Mossman Penrose Whitlock
Madison Tyler Brooke Hunter Savannah Cody Paige Wyatt Delaney Colton Avery Garrett Kendra Dustin Tessa Marcus
Abernathy Bridger Conley Dempsey Eastman Granger Hatfield Kimbrough Maddox Ogden Pruitt Rainey Stoddard
Chloé Baptiste Manon Théo Élodie Rémi Margaux Lucien Anaïs Florian Solène Gaël Camille Mathis Noémie Corentin
Aubertin Bellanger Chastain Estève Faucher Grandjean Hervieu Jolivet Lachance Mérieux Noblet Rouvière Vasseur
Lukas Anneliese Jonas Friederike Moritz Greta Fabian Katrin Tobias Wiebke Jürgen Mareike Sören Niklas Antje
Achterberg Brinkmann Dörfler Eberlein Großmann Hinrichs Kästner Lindemann Möllers Niehaus Schüßler Wiechert
Giulia Matteo Chiara Lorenzo Ginevra Davide Ilaria Tommaso Noemi Emanuele Serena Riccardo Beatrice Viola
Albertazzi Benvenuti Castellani Donati Fabbrini Galimberti Iacobelli Lombardini Nardone Orlandini Quaranta
Álvaro Lucía Íñigo Marta Hugo Rocío Adrián Nerea Gonzalo Inés Sergio Paloma Iker Leire Rubén Aitana
Arancibia Benítez Carrasco Echeverría Fuentes Guijarro Herranz Ibáñez Lozano Olmedo Pizarro Quesada Zabaleta
Tiago Beatriz Rafael Leonor Gustavo Larissa João Mariana Henrique Débora Caio Letícia Nuno Catarina Vinícius
Abrantes Barreto Cardoso Duarte Falcão Guimarães Leitão Nogueira Peixoto Queirós Rezende Teixeira Vasconcelos
Sanne Joris Femke Bram Lotte Sjoerd Maartje Thijs Anouk Ruben Wouter Jolien Pieter Eline Koen Marieke
Achterhof Boersma Cuypers Dijkema Elzinga Goossens Hoekstra Jansma Kuipers Meulenbelt Nijhuis van~der~Veen
Astrid Søren Ingrid Håkon Maja Bjørn Linnea Sindre Åsa Magnus Signe Øystein Ebba Torsten Liv Anders
Bergqvist Dahlström Ekdahl Fjeldstad Grønvold Hagelin Isaksen Kvamme Lundmark Moberg Nygård Sjöberg Tveit
Aino Juhani Elina Mikko Päivi Antti Sanna Ville Kaisa Eero Riikka Olli Helmi Tuomas Venla Jukka
Ahokas Haapala Heiskanen Jokela Kauppinen Lehtola Mäkelä Niskanen Ojala Peltonen Rautio Tuominen Uusitalo
Łukasz Agnieszka Paweł Zuzanna Michał Katarzyna Wojciech Małgorzata Bartosz Kinga Grzegorz Weronika Szymon
Adamczyk Czajka Dudek Filipiak Gołąb Jabłonka Krawczyk Lisiecki Majchrzak Nawrot Ostrowicz Rogala Sobczak
Ondřej Tereza Vojtěch Kateřina Matěj Eliška Radek Barbora Štěpán Markéta Jiří Lenka
Bartoš Čermák Dvořáček Hrubý Koubek Malina Pospíšil Říha Šebesta Vlček Zíka Žák
Zoltán Ildikó Balázs Réka Levente Boglárka Gergő Zsófia
Szalai Takács Vörös Bárány Lukácsy Erdélyi Somogyi Halmos
Bogdan Ioana Răzvan Mihaela Ștefan Cătălina Sorin Anca
Munteanu Dragomir Văcaru Lupescu Păduraru Cojocaru Ciobanu Stănescu
Dmytro Oksana Andriy Iryna Pavlo Halyna Artem Darya Maksym Svitlana Ruslan Polina Taras Vira
Bondarchuk Chernenko Dovzhyk Fedorenko Hrytsenko Ivashko Kovalyk Marchuk Ostapenko Romanyuk Sidorchuk
Emre Zeynep Burak Elif Kerem Defne Ozan Gülşen Tolga Nazlı Onur Ebru Çağlar Yasemin Serkan Pınar
Akgündüz Çelikkol Demirbaş Erdoğmuş Gürbüz Işıkdağ Karaca Küçükoğlu Özbilgin Pektaş Sarıgül Uçarlı Yurtsever
Omar Layla Youssef Nadia Karim Samira Tariq Yasmine Hamza Farah Bilal Rania Idris Leila Mehdi Salma
Abdelnour Benhaddou Chahine Daoudi El~Amrani Fakhouri Ghanem Haddadin Jaziri Nasrallah Qabbani Rahmouni Zeidan
Aarav Priya Rohan Ananya Vikram Meera Karthik Divya Arjun Kavya Siddharth Ishita Nikhil Pooja Rahul Shreya
Acharya Chaudhary Deshpande Gokhale Iyengar Joshi Kulkarni Lakhani Mahajan Nambiar Pillai Raghavan Saxena
Haruto Yui Sōta Aoi Ren Hina Kaito Sakura Daiki Mio Yūki Rin Takumi Emi Shōta Naoko
Aizawa Fujimori Hamasaki Ishizuka Kawabata Kuribayashi Matsunaga Nishioka Okamura Shibuya Takeuchi Uchida
Wei Meiling Jian Xinyi Haoran Yating Zihan Lihua Chengyu Yuxuan Peiyi Kaiwen
Chen Huang Liang Zhou Xu Tang Guo Lin Shao Pan Qiu Deng
Minjun Seoyeon Jiho Hayoon Dowon Eunji Taeyang Sora Jaewon Yerin
Kwon Baek Hwang Noh Yoon Seo Shin Jeong Bang Cha
Linh Minh Thảo Quân Ngọc Tuấn Hạnh Khánh
Nguyễn Trần Đặng Phạm Huỳnh Hoàng Võ Bùi
Dewi Rizky Putri Bayu Ayu Wahyu Ratna Dimas
Prasetyo Santoso Wijaya Kusuma Hartono Lestari Nugroho Saputra
Chidi Nneka Ayodele Temitope Ifeoma Emeka Folake Tunde
Adeyinka Chukwu Eze Nwosu Okafor Balogun Oyelaran Afolayan
Kwame Abena Kofi Akosua Yaw Esi
Boateng Danquah Osei Amponsah Asante Frimpong
Wanjiru Otieno Akinyi Mwangi Njeri Kiprono
Gathoni Kamau Wekesa Odhiambo Mutua Kiplagat
Zanele Thabo Lindiwe Sipho Nomvula Tendai
Mokoena Moyo Ndlovu Sithole Tshabalala Dlamini""".splitlines()
# In the 162 real records 143 photographers appear: most once, a few again and again. These numbers give the same.
FREQUENT = 40
FREQUENT_SHARE = 0.2

BIO_OPENINGS = (
    "Photographer", "Amateur photographer", "Photographer and designer", "Freelance photographer",
    "Software engineer with a camera", "Teacher, hiker, photographer", "Visual storyteller",
    "Film and digital", "Landscape photographer", "Student of architecture", "Just a hobby 📷",
    "Father of two. Photos on Sundays", "Nurse by day, stargazer by night")
BIO_ENDINGS = (
    "", ".", " based in {place}.", " from {place}. Mostly outdoors.", " in {place} ✨", " | {place} | he/him",
    ". Prints and commissions: write to me.", ".\r\nThank you for the credit!", " | she/her",
    ", always looking for the light.", ". If you use a photo, tag me: @{username}")

# --- captions ----------------------------------------------------------------------------------------

CAPTIONS = (
    "{scene}", "{scene}.", "{tag}", "{tag} / {other}", "{tag} and {other}, {month} {year}", "{tag}, {year}",
    "{where}", "{where}, {month} {year}", "The best part of a long walk.", "{scene}\n\n{camera}",
    "Early start, worth it.", "#{hash} #{otherhash}", "{tag} study", "One of my favourites from {year}",
    "{tag} series, {number} of 12", "Shot on {camera}")
